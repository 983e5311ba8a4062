/** Waits for a state that no event announces: asks again every 50 ms, up to a bound. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  bound = 30_000,
): Promise<T> {
  const end = performance.now() + bound;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`Waited ${bound} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
