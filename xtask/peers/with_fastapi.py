"""The two routes that are compared, as a FastAPI coordinator would have them: events in memory, incidents on disk: a
folder each, with what was asked for and the incident as it stands in one file that is locked for as long as this process
lives, as ours has it until the incident begins."""

import fcntl
import itertools
import json
import os
import sys
from datetime import datetime, timezone

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

root, trace, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(trace) as file:
    events = json.load(file)
app = FastAPI()
numbers = itertools.count(1)
locks = []


class Start(BaseModel):
    scenario: str | None = None
    target: str | None = None
    options: dict[str, int] = {}


@app.get("/status/{incident_id}")
async def status(incident_id: str):
    return {"incident_id": incident_id, "status": "completed", "phase": "done", "trace": events}


@app.post("/start_incident", status_code=202)
async def start(request: Start):
    incident_id = f"inc-20260101-{next(numbers):03}"
    path = os.path.join(root, incident_id)
    os.mkdir(path)
    now = datetime.now(timezone.utc).isoformat()
    state = {"id": incident_id, "status": "running", "span": {"start": now, "end": now}}
    lock = open(os.path.join(path, ".running"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    json.dump({**request.model_dump(), "incident": state}, lock)
    lock.flush()
    locks.append(lock)
    return {"incident_id": incident_id, "status": "started"}


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
