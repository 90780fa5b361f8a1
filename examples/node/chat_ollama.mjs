// One answer, with Ollama's SDK.
import { Ollama } from "ollama";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${process.env.CONDUIT_KEY}` } });

console.log((await client.chat({ model, messages: [{ role: "user", content: "Say hello in one sentence." }] })).message.content);
