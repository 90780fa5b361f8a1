// Texts as vectors; the demo has no model for this: name one of yours in CONDUIT_MODEL, with OpenAI's SDK.
import OpenAI from "openai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "text-embedding-3-small";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.CONDUIT_KEY });

const answer = await client.embeddings.create({ model, input: ["The first text", "The second text"] });
for (const row of answer.data) console.log(row.embedding.length, "numbers:", row.embedding.slice(0, 3));
