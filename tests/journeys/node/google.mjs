// Google's SDK for Node: a tool loop, whole and streamed.
// node google.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of the model
import { createRequire } from "node:module";
import path from "node:path";

const { GoogleGenAI } = createRequire(path.join(process.cwd(), "package.json"))("@google/genai");
const [baseUrl, apiKey, model] = process.argv.slice(2);
const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const parametersJsonSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const config = { tools: [{ functionDeclarations: [{ name: "weather", description: "The weather.", parametersJsonSchema }] }] };

async function request(contents, streamed) {
  if (!streamed) return (await client.models.generateContent({ model, contents, config })).candidates[0].content.parts;
  const parts = [];
  for await (const chunk of await client.models.generateContentStream({ model, contents, config })) {
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
  }
  return parts.filter((part) => part.functionCall || part.text);
}

async function finalText(streamed) {
  const contents = [{ role: "user", parts: [{ text: "weather in Bern?" }] }];
  const parts = await request(contents, streamed);
  const results = parts.filter((part) => part.functionCall).map(({ functionCall }) => ({
    functionResponse: { id: functionCall.id, name: functionCall.name, response: { output: `sunny in ${functionCall.args.city}` } },
  }));
  contents.push({ role: "model", parts }, { role: "user", parts: results });
  return (await request(contents, streamed)).map((part) => part.text ?? "").join("");
}

console.log(JSON.stringify([await finalText(false), await finalText(true)]));
