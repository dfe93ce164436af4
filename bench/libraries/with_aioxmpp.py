"""aioxmpp."""

import asyncio

import aioxmpp
import aioxmpp.connector
import aioxmpp.dispatcher
import common


async def connect(number, port):
    made = aioxmpp.PresenceManagedClient(
        aioxmpp.JID.fromstr(f"user{number}@localhost/bench"),
        aioxmpp.make_security_layer(common.PASSWORD, no_verify=True),
        override_peer=[("127.0.0.1", port, aioxmpp.connector.STARTTLSConnector())],
    )
    entered = made.connected()
    await entered.__aenter__()
    made.entered = entered
    return made


async def main():
    port, mode, count = common.arguments()
    if mode == "idle":
        await common.idle(lambda number: connect(number, port), count)
        return
    echo, left = await connect(0, port), count
    done = asyncio.get_running_loop().create_future()

    def answer(message):
        nonlocal left
        if not message.body:
            return
        reply = message.make_reply()
        reply.body.update(message.body)
        echo.enqueue(reply)
        left -= 1
        if not left:
            done.set_result(None)

    echo.summon(aioxmpp.dispatcher.SimpleMessageDispatcher).register_callback(aioxmpp.MessageType.CHAT, None, answer)
    await common.measure(done)


asyncio.run(main())
