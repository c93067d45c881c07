// Runs an ONNX model on rows: onnx.js MODEL ROWS COLUMNS OUT, with npm's onnxruntime-node. ROWS holds little-endian floats.
// Writes the probabilities to OUT in the same form, and prints the labels as JSON.
const ort = require("onnxruntime-node");
const fs = require("node:fs");

async function main([model, rows, columns, out]) {
  const bytes = fs.readFileSync(rows);
  const x = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
  const n = x.length / Number(columns);
  const got = await session.run({ features: new ort.Tensor("float32", x, [n, Number(columns)]) });
  const p = got.probabilities.data;
  fs.writeFileSync(out, Buffer.from(p.buffer, p.byteOffset, p.byteLength));
  console.log(JSON.stringify(Array.from(got.label.data)));
}
main(process.argv.slice(2)).catch((e) => { console.error(e); process.exit(1); });
