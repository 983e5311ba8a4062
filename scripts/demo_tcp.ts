/** The two ends of a TCP connection, for the demo: `serve ADDRESS PORT`, and `send ADDRESS PORT BYTES`. */

const [role, hostname = "", port = "", size = "0"] = Deno.args;
const address = { hostname, port: Number(port) };

/** Takes one connection, counts what comes and answers with the number. */
async function serve(): Promise<void> {
  using listener = Deno.listen(address);
  console.log("ready");
  using connection = await listener.accept();
  let count = 0;
  const buffer = new Uint8Array(1 << 18);
  for (let length = await connection.read(buffer); length !== null; length = await connection.read(buffer)) {
    count += length;
  }
  await connection.write(new TextEncoder().encode(String(count)));
}

/** Sends the bytes, says so, and prints what the other end counted and how long that took (ms). */
async function send(bytes: number): Promise<void> {
  using connection = await Deno.connect(address);
  const start = performance.now();
  const chunk = new Uint8Array(1 << 18);
  for (let left = bytes; left > 0;) left -= await connection.write(chunk.subarray(0, Math.min(left, chunk.length)));
  await connection.closeWrite();
  const counted = await new Response(connection.readable).text();
  console.log(JSON.stringify({ counted: Number(counted), milliseconds: performance.now() - start }));
}

if (role === "serve") await serve();
else await send(Number(size));
