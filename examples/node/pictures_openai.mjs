// A question about a picture, with OpenAI's SDK.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.CONDUIT_KEY });

const data = readFileSync(new URL("../picture.png", import.meta.url)).toString("base64");
const content = [
  { type: "text", text: "What is in this picture?" },
  { type: "image_url", image_url: { url: `data:image/png;base64,${data}` } },
];
const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content }] });
console.log(answer.choices[0].message.content);
