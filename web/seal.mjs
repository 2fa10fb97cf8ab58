// Writes ../serve/webui/seal.txt: the hash of these sources and of what was built from them. A Go test compares both, so
// that a change of one without the other is seen.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

function files(dir, prefix = "") {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules") return [];
    const name = prefix + entry.name;
    return entry.isDirectory() ? files(join(dir, entry.name), name + "/") : [name];
  });
}

function hash(dir) {
  const all = createHash("sha256");
  for (const name of files(dir).sort()) {
    const text = readFileSync(join(dir, name)).toString("latin1").replaceAll("\r\n", "\n");
    all.update(`${name} ${createHash("sha256").update(text, "latin1").digest("hex")}\n`);
  }
  return all.digest("hex");
}

const here = import.meta.dirname;
const out = join(here, "../serve/webui");
writeFileSync(join(out, "seal.txt"), `sources ${hash(here)}\nbuilt ${hash(join(out, "dist"))}\n`);
