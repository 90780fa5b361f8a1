// A question about a picture, with Anthropic's SDK.
import { readFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new Anthropic({ baseURL: url, authToken: process.env.CONDUIT_KEY, apiKey: null });

const data = readFileSync(new URL("../picture.png", import.meta.url)).toString("base64");
const text = (answer) => answer.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const content = [
  { type: "image", source: { type: "base64", media_type: "image/png", data } },
  { type: "text", text: "What is in this picture?" },
];
console.log(text(await client.messages.create({ model, max_tokens: 1024, messages: [{ role: "user", content }] })));
