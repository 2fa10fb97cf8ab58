// The server's API as the page uses it.

export interface Model {
  id: string;
  description?: string;
  parameters?: number;
  type?: string;
  context: number;
  temperature: number;
  system?: string;
  chat: boolean;
}

export interface Suggestion {
  prompt: string;
  template?: string; // what kind of prompt it is
  answer?: string;
  tools?: unknown[];
}

export interface Turn {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface ToolCall {
  name: string;
  arguments: string;
}

export interface Ask {
  model: string;
  turns: Turn[];
  tools?: unknown[];
  temperature: number;
  maxTokens?: number;
}

/** What comes while a reply streams. */
export interface Listener {
  content(text: string): void;
  reasoning(text: string): void;
  call(call: ToolCall): void;
  end(finish: string, tokens: number): void;
}

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function headers(): Record<string, string> {
  const key = localStorage.getItem("lian.key");
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path, { headers: headers() });
  if (!response.ok) throw await refused(response);
  return response.json();
}

async function refused(response: Response): Promise<Refused> {
  const body = await response.json().catch(() => null);
  return new Refused(response.status, body?.error?.message ?? response.statusText);
}

export const models = async () => (await get<{ models: Model[] }>("/lian/info")).models;

/** The prompts that lie beside a model: a list, or an object that has one. */
export async function suggestions(model: string): Promise<Suggestion[]> {
  const found = await get<Suggestion[] | { suggestions?: Suggestion[] }>("/lian/suggestions?model=" + encodeURIComponent(model));
  return Array.isArray(found) ? found : (found.suggestions ?? []);
}

/** Asks for a reply and tells the listener what comes, until the end or until the signal ends it. */
export async function chat(ask: Ask, listen: Listener, signal: AbortSignal): Promise<void> {
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers() },
    body: JSON.stringify({
      model: ask.model,
      messages: ask.turns,
      temperature: ask.temperature,
      max_tokens: ask.maxTokens,
      tools: ask.tools?.length ? ask.tools : undefined,
      stream: true,
      stream_options: { include_usage: true },
    }),
    signal,
  });
  if (!response.ok || !response.body) throw await refused(response);
  let finish = "";
  let tokens = 0;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refused(500, chunk.error.message);
    if (chunk.usage) tokens = chunk.usage.completion_tokens;
    for (const choice of chunk.choices ?? []) {
      if (choice.delta?.reasoning_content) listen.reasoning(choice.delta.reasoning_content);
      if (choice.delta?.content) listen.content(choice.delta.content);
      for (const call of choice.delta?.tool_calls ?? []) listen.call(call.function);
      finish = choice.finish_reason ?? finish;
    }
  }
  listen.end(finish, tokens);
}

/** The data of server-sent events. Comments, which keep the connection alive, are skipped. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pending = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    pending += decoder.decode(value, { stream: true });
    const parts = pending.split("\n\n");
    pending = parts.pop()!;
    for (const part of parts) if (part.startsWith("data: ")) yield part.slice(6);
  }
}
