// An answer, word by word, with Google's SDK.
import { GoogleGenAI } from "@google/genai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new GoogleGenAI({ apiKey: process.env.CONDUIT_KEY, httpOptions: { baseUrl: url } });

const stream = await client.models.generateContentStream({ model, contents: "Say hello in one sentence." });
for await (const chunk of stream) process.stdout.write(chunk.text ?? "");
console.log();
