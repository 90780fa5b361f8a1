// A question about a picture, with Google's SDK.
import { readFileSync } from "node:fs";
import { GoogleGenAI } from "@google/genai";

const url = process.env.CONDUIT_URL ?? "http://127.0.0.1:5000";
const model = process.env.CONDUIT_MODEL ?? "demo";
const client = new GoogleGenAI({ apiKey: process.env.CONDUIT_KEY, httpOptions: { baseUrl: url } });

const data = readFileSync(new URL("../picture.png", import.meta.url)).toString("base64");
const contents = [{ text: "What is in this picture?" }, { inlineData: { data, mimeType: "image/png" } }];
console.log((await client.models.generateContent({ model, contents })).text);
