// A question about a picture, with Ollama's SDK.
import { readFileSync } from "node:fs";
import { Ollama } from "ollama";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${process.env.CONDUIT_KEY}` } });

const data = readFileSync(new URL("../picture.png", import.meta.url)).toString("base64");
const messages = [{ role: "user", content: "What is in this picture?", images: [data] }];
console.log((await client.chat({ model, messages })).message.content);
