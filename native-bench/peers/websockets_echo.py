# The other usual Python gateway: websockets, json, and the standard library's audioop for mu-law and rates. Modelled on
# the tutorials for it, agent left out. What is said of ratecv in aiohttp_echo.py is true here.
import asyncio
import audioop
import base64
import json
import sys

import websockets

NARROW_HZ, WIDE_HZ = 8000, 16000


async def stream(socket, _path=None):
    stream_sid, up, down = "", None, None
    try:
        async for text in socket:
            message = json.loads(text)
            if message["event"] == "start":
                stream_sid = message["start"]["streamSid"]
            elif message["event"] == "media":
                narrow = audioop.ulaw2lin(base64.b64decode(message["media"]["payload"]), 2)
                wide, up = audioop.ratecv(narrow, 2, 1, NARROW_HZ, WIDE_HZ, up)
                said, down = audioop.ratecv(wide, 2, 1, WIDE_HZ, NARROW_HZ, down)  # the agent says what it hears
                payload = base64.b64encode(audioop.lin2ulaw(said, 2)).decode()
                await socket.send(
                    json.dumps({"event": "media", "streamSid": stream_sid, "media": {"payload": payload}})
                )
    except websockets.ConnectionClosed:
        pass


async def main():
    port = int(sys.argv[1])
    async with websockets.serve(stream, "127.0.0.1", port, compression=None, ping_interval=None):
        print(f"listening {port}", flush=True)
        await asyncio.Future()


asyncio.run(main())
