"""Runs the Python of deploy/docs/clients.md, given as the first argument, with
stand-ins for nats-py's objects. Standard input has a message to be consumed in
each line. What was produced and what became of each message goes to standard
output, one JSON object in a line."""

import asyncio
import base64
import importlib.util
import json
import sys
import types


class Timeout(Exception):
    pass


class Enough(BaseException):
    pass


nats, errors = types.ModuleType("nats"), types.ModuleType("nats.errors")
nats.errors, errors.TimeoutError = errors, Timeout
sys.modules.update({"nats": nats, "nats.errors": errors})

spec = importlib.util.spec_from_file_location("clients", sys.argv[1])
clients = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clients)


clients.print = lambda *what: None


def say(**what):
    print(json.dumps(what), flush=True)


class Message:
    def __init__(self, headers, data):
        self.headers, self.data = headers, base64.b64decode(data)

    async def ack(self):
        say(id=self.headers["Nats-Msg-Id"], became="ack")

    async def nak(self, delay=None):
        say(id=self.headers["Nats-Msg-Id"], became=f"nak {delay}")

    async def term(self):
        say(id=self.headers["Nats-Msg-Id"], became="term")


class Subscription:
    def __init__(self, messages):
        self.rounds = [[], messages]  # at first there is nothing new

    async def fetch(self, batch=1, timeout=5):
        if not self.rounds:
            raise Enough
        messages = self.rounds.pop(0)
        if not messages:
            raise Timeout
        return messages


class JetStream:
    async def publish(self, subject, payload=b"", headers=None):
        say(subject=subject, headers=headers, data=base64.b64encode(payload).decode())
        return types.SimpleNamespace(stream="WX_EVENTS", seq=1, duplicate=False)

    async def pull_subscribe(self, subject, durable=None, stream=None):
        return Subscription([Message(**json.loads(line)) for line in sys.stdin])


async def handle(msg_id, record):
    say(id=msg_id, record=record)
    if record["id"] == "fails":
        raise RuntimeError("not now")


async def main():
    js = JetStream()
    try:
        await clients.produce(js, "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", "order-17", meta={"campaign": "活动 🎉", "n": 2**64 - 1})
        await clients.consume(js, handle)
    except Enough:
        pass


asyncio.run(main())
