// An answer that follows a JSON schema, with Google's SDK.
import { GoogleGenAI } from "@google/genai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new GoogleGenAI({ apiKey: process.env.CONDUIT_KEY, httpOptions: { baseUrl: url } });

const responseJsonSchema = {
  type: "object",
  properties: { city: { type: "string" }, country: { type: "string" } },
  required: ["city", "country"],
};
const config = { responseMimeType: "application/json", responseJsonSchema };
const answer = await client.models.generateContent({ model, contents: "Which country is Bern the capital of?", config });
console.log(JSON.parse(answer.text).country);
