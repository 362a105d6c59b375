"""STOMP without JSON-RPC: who is subscribed, what a client may say and when, and the connection that carries it."""
