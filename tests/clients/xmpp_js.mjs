// A person at a program that is built on xmpp.js: does what it is told on standard input, and tells what happens on
// standard output, both as a line of JSON each.

import { createInterface } from "node:readline";
import parse from "@xmpp/xml/lib/parse.js";
import { client } from "@xmpp/client";

const [service, username, password] = process.argv.slice(2);
const tell = (event, value = null) => console.log(JSON.stringify([event, value]));

const xmpp = client({ service, domain: "localhost", username, password, resource: "xmpp.js" });
xmpp.timeout = 20_000;
xmpp.reconnect.delay = 50;
xmpp.on("element", (element) => {
  if (element.name === "success") tell("success", element.toString());
  if (element.name === "authentication") tell("offer", element.toString());
});
xmpp.on("send", (element) => {
  if (element.name === "authenticate") tell("authenticate", element.toString());
});
xmpp.on("online", (address) => tell("online", address.toString()));
xmpp.on("stanza", (stanza) => tell("stanza", stanza.toString()));
xmpp.on("disconnect", () => tell("disconnect"));
xmpp.on("error", (error) => tell("error", String(error)));
xmpp.streamManagement.on("resumed", () => tell("resumed"));
xmpp.streamManagement.on("ack", (stanza) => tell("ack", stanza.toString()));

const deeds = {
  start: () => xmpp.start().catch(() => {}),
  send: (text) => xmpp.send(parse(text)),
  cut: () => xmpp.socket.socket.destroy(),
  stop: () => xmpp.stop(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const [deed, value] = JSON.parse(line);
  await deeds[deed](value);
}
