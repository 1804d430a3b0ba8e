"""The HTTP edge: metrics and probes. The only importer of FastAPI and uvicorn."""
