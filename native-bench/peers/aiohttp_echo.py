# The usual Python gateway: aiohttp, json, and the standard library's audioop for mu-law and rates. Modelled on the
# servers of Python voice-agent frameworks, agent left out. ratecv keeps its state from frame to frame, and interpolates
# without a filter: it does less than the others.
import audioop
import base64
import json
import sys

from aiohttp import WSMsgType, web

NARROW_HZ, WIDE_HZ = 8000, 16000


async def stream(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    stream_sid, up, down = "", None, None
    async for text in socket:
        if text.type != WSMsgType.TEXT:
            continue
        message = json.loads(text.data)
        if message["event"] == "start":
            stream_sid = message["start"]["streamSid"]
        elif message["event"] == "media":
            narrow = audioop.ulaw2lin(base64.b64decode(message["media"]["payload"]), 2)
            wide, up = audioop.ratecv(narrow, 2, 1, NARROW_HZ, WIDE_HZ, up)
            said, down = audioop.ratecv(wide, 2, 1, WIDE_HZ, NARROW_HZ, down)  # the agent says what it hears
            payload = base64.b64encode(audioop.lin2ulaw(said, 2)).decode()
            await socket.send_str(json.dumps({"event": "media", "streamSid": stream_sid, "media": {"payload": payload}}))
    return socket


def main():
    port = int(sys.argv[1])
    app = web.Application()
    app.router.add_get("/{path:.*}", stream)
    web.run_app(app, host="127.0.0.1", port=port, print=lambda *_: print(f"listening {port}", flush=True), access_log=None)


main()
