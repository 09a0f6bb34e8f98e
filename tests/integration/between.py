"""A carrier's client that lets things happen around its one request."""

from gateway.carriers.carrier import HandingOver, Order
from gateway.carriers.telnyx import Telnyx
from tests.integration.house import KEY, House


class Between(Telnyx):
    """The carrier's client, with something happening just before and just after its one request."""

    def __init__(self, house: House) -> None:
        super().__init__(house.emulator.base_url, KEY, timeout=10)
        self.orders: list[Order] = []

    async def before(self) -> None:
        """What happens before the request is made."""

    async def after(self) -> None:
        """What happens between the carrier's answer and its commit."""

    async def hand_over(self, order: Order) -> HandingOver:
        self.orders.append(order)
        await self.before()
        answer = await super().hand_over(order)
        await self.after()
        return answer
