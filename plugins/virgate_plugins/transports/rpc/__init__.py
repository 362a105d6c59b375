"""XML-RPC without a connection: documents to values, values to documents, a request to its reply."""
