"""The floor of the API: a bare Starlette endpoint that parses the same JSON and answers, on the same server."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def post(request: Request) -> JSONResponse:
    """Parse the body, and answer as if it were taken."""
    await request.json()
    return JSONResponse({"record_id": "20261123T153118653Z-f5k53zwk-1", "status": "accepted"}, 202)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/v1/records", post, methods=["POST"])])
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False)
