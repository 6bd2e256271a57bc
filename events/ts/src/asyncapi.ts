// Holds an AsyncAPI document to AsyncAPI's own parser:
//
//   node dist/asyncapi.js <file>
import { readFile } from "node:fs/promises";
import { Parser, DiagnosticSeverity } from "@asyncapi/parser";

const path = process.argv[2];
if (path === undefined) {
  console.error("usage: asyncapi <file>");
  process.exit(2);
}
const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"), { source: path });
for (const d of diagnostics) {
  const kind = DiagnosticSeverity[d.severity] ?? "?";
  console.log(`${path}:${d.range.start.line + 1}: ${kind}: ${d.message} (${d.code})`);
}
const faults = diagnostics.filter((d) => d.severity <= DiagnosticSeverity.Warning);
if (document === undefined || faults.length > 0) {
  process.exit(1);
}
const messages = document.allMessages().all();
console.log(`${path}: AsyncAPI ${document.version()}, ${document.allChannels().all().length} channels, ${messages.length} messages, no errors`);
