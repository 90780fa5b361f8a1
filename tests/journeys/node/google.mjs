// Google's SDK for Node: a tool loop of three turns over models, whole and streamed, and over a chat, streamed.
// node google.mjs ADDRESS KEY MODEL  -> one line of JSON with the final text of each loop
import { createRequire } from "node:module";
import path from "node:path";

const { GoogleGenAI } = createRequire(path.join(process.cwd(), "package.json"))("@google/genai");
const [baseUrl, apiKey, model] = process.argv.slice(2);
const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const parametersJsonSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const config = { tools: [{ functionDeclarations: [{ name: "weather", description: "The weather.", parametersJsonSchema }] }] };
const results = (parts) => parts.filter((part) => part.functionCall).map(({ functionCall }) => ({
  functionResponse: { id: functionCall.id, name: functionCall.name, response: { output: `sunny in ${functionCall.args.city}` } },
}));
const text = (parts) => parts.map((part) => (part.thought ? "" : part.text ?? "")).join("");

async function collected(chunks) {
  const parts = [];
  for await (const chunk of chunks) parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
  return parts;
}

async function overModels(streamed) {
  const contents = [{ role: "user", parts: [{ text: "weather in Bern?" }] }];
  for (;;) {
    const ask = { model, contents, config };
    const parts = streamed
      ? await collected(await client.models.generateContentStream(ask))
      : (await client.models.generateContent(ask)).candidates[0].content.parts;
    const found = results(parts);
    if (!found.length) return text(parts);
    contents.push({ role: "model", parts }, { role: "user", parts: found });
  }
}

async function overChat() {
  const chat = client.chats.create({ model, config });
  let message = "weather in Bern?";
  for (;;) {
    const parts = await collected(await chat.sendMessageStream({ message }));
    message = results(parts);
    if (!message.length) return text(parts);
  }
}

console.log(JSON.stringify([await overModels(false), await overModels(true), await overChat()]));
