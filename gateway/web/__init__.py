"""The HTTP door: webhooks and documents for the carrier, APIs for clients, pages and probes for operators."""
