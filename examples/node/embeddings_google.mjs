// Texts as vectors; the demo has no model for this: name one of yours in CONDUIT_MODEL, with Google's SDK.
import { GoogleGenAI } from "@google/genai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "text-embedding-3-small";
const client = new GoogleGenAI({ apiKey: process.env.CONDUIT_KEY, httpOptions: { baseUrl: url } });

const answer = await client.models.embedContent({ model, contents: ["The first text", "The second text"] });
for (const row of answer.embeddings) console.log(row.values.length, "numbers:", row.values.slice(0, 3));
