// Asks every call of the API with Telnyx's own library for Node, and prints what came of it as JSON.
import { createRequire } from "node:module";

const given = JSON.parse(process.argv[2]);
const require = createRequire(`${given.home}/`);
const Telnyx = require("telnyx");
const client = new Telnyx({ apiKey: given.token, baseURL: `${given.origin}/v2`, publicKey: given.key, maxRetries: 0 });
const told = {};

async function all(list) {
  const found = [];
  for await (const one of list) found.push(one);
  return found;
}

async function refused(call) {
  try {
    await call();
    return "not refused";
  } catch (error) {
    return [error.constructor.name, error.status, error.error?.errors?.[0]?.source?.pointer ?? null];
  }
}

// fax applications and numbers
const app = (await client.faxApplications.create({ application_name: "node", webhook_event_url: given.hook })).data;
told.app = app;
told.changed = (await client.faxApplications.update(app.id, { application_name: "node 2", webhook_event_url: given.hook, tags: ["a"] })).data;
told.apps = (await all(client.faxApplications.list({ page_size: 1 }))).map((one) => one.application_name);
told.contains = (await all(client.faxApplications.list({ filter: { application_name: { contains: "NODE" } } }))).length;
told.retrieved = (await client.faxApplications.retrieve(app.id)).data.application_name;
told.numbers = (await all(client.phoneNumbers.list())).map((one) => one.phone_number);
told.number = (await client.phoneNumbers.retrieve(given.from.slice(1))).data.connection_id;
told.moved = (await client.phoneNumbers.update(given.from.slice(1), { connection_id: app.id })).data.connection_name;
told.used = await refused(() => client.faxApplications.delete(app.id));
await client.phoneNumbers.update(given.from.slice(1), { connection_id: given.connection });
told.deleted = (await client.faxApplications.delete(app.id)).data.id === app.id;

// media
told.media = (await client.media.upload({ media_url: given.document, media_name: "letter", ttl_secs: 600 })).data.media_name;
told.stored = ((await client.media.list()).data ?? []).map((one) => one.media_name);
told.type = (await client.media.retrieve("letter")).data.content_type;
await client.media.update("letter", { media_url: given.document });
told.bytes = (await (await client.media.download("letter")).arrayBuffer()).byteLength;

// faxes
const wish = { connection_id: given.connection, from: given.from, to: given.to };
const first = (await client.faxes.create({ ...wish, media_url: given.document, client_state: given.state })).data;
told.fax = first;
await client.faxes.create({ ...wish, media_name: "letter" });
const file = new File([Buffer.from(given.pdf, "base64")], "a.pdf", { type: "application/pdf" });
told.attached = (await client.faxes.create({ ...wish, contents: file })).data.status;
told.listed = (await all(client.faxes.list({ page_size: 2, filter: { direction: { eq: "outbound" } } }))).length;
told.shown = (await client.faxes.retrieve(first.id)).data.client_state;
told.notYet = await refused(() => client.faxes.delete(first.id));
told.canceled = (await client.faxes.actions.cancel(first.id)).data.result;
told.late = await refused(() => client.faxes.actions.cancel(first.id));
told.ended = (await client.faxes.retrieve(first.id)).data.failure_reason;
await client.faxes.delete(first.id);
told.gone = await refused(() => client.faxes.retrieve(first.id));
told.refreshed = (await client.faxes.actions.refresh(given.received)).data.result;
await client.media.delete("letter");

// errors
told.wrong = await refused(() => client.faxes.create({ ...wish, to: "sip:x@example.com", media_url: given.document }));
told.stranger = await refused(() => new Telnyx({ apiKey: "x", baseURL: `${given.origin}/v2`, maxRetries: 0 }).faxes.list());

// webhooks
const event = await client.webhooks.unwrap(given.webhook.body, { headers: given.webhook.headers });
told.event = event.data.event_type;
told.forged = await refused(() => client.webhooks.unwrap(`${given.webhook.body} `, { headers: given.webhook.headers }));
const deliveries = await all(client.webhookDeliveries.list({ page_size: 1 }));
told.deliveries = deliveries.map((one) => [one.status, one.webhook.event_type]);
told.delivery = (await client.webhookDeliveries.retrieve(deliveries[0].id)).data.attempts.length;

console.log(JSON.stringify(told));
