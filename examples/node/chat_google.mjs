// One answer, with Google's SDK.
import { GoogleGenAI } from "@google/genai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new GoogleGenAI({ apiKey: process.env.CONDUIT_KEY, httpOptions: { baseUrl: url } });

console.log((await client.models.generateContent({ model, contents: "Say hello in one sentence." })).text);
