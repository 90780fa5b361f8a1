// The model calls a function, and answers with what it returned, with Google's SDK.
import { GoogleGenAI } from "@google/genai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo/demo-tools";
const client = new GoogleGenAI({ apiKey: process.env.CONDUIT_KEY, httpOptions: { baseUrl: url } });

const weather = ({ city }) => `Sunny in ${city}, 21 degrees.`;
const parametersJsonSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const functionDeclarations = [{ name: "weather", description: "The weather in a city.", parametersJsonSchema }];
const config = { tools: [{ functionDeclarations }] };
const contents = [{ role: "user", parts: [{ text: "What is the weather in Bern?" }] }];
const first = await client.models.generateContent({ model, contents, config });
const parts = (first.functionCalls ?? []).map(({ id, name, args }) => {
  console.log(`${name}(${JSON.stringify(args)})`);
  return { functionResponse: { id, name, response: { output: weather(args) } } };
});
contents.push(first.candidates[0].content, { role: "user", parts });
console.log((await client.models.generateContent({ model, contents, config })).text);
