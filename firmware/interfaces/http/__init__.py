"""The HTTP server that every interface over HTTP shares: uvicorn's protocols with deadlines and limits."""
