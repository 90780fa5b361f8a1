// Texts as vectors; the demo has no model for this: name one of yours in CONDUIT_MODEL, with Ollama's SDK.
import { Ollama } from "ollama";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "text-embedding-3-small";
const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${process.env.CONDUIT_KEY}` } });

const answer = await client.embed({ model, input: ["The first text", "The second text"] });
for (const vector of answer.embeddings) console.log(vector.length, "numbers:", vector.slice(0, 3));
