/** Going on after an error, and telling all of them at the end. */

interface Failures {
  /** Does the work; an error is kept. */
  attempt(work: () => void): void;
  /** As attempt(), for work that takes time. */
  wait(work: () => Promise<unknown>): Promise<void>;
  readonly some: boolean;
  /** Throws what was kept: the error, or an AggregateError with the first one's message. */
  end(): void;
}

export function failures(): Failures {
  const kept: unknown[] = [];
  return {
    attempt(work) {
      try {
        work();
      } catch (error) {
        kept.push(error);
      }
    },
    async wait(work) {
      try {
        await work();
      } catch (error) {
        kept.push(error);
      }
    },
    get some() {
      return kept.length > 0;
    },
    end() {
      const [first, ...more] = kept;
      if (first === undefined) return;
      if (more.length === 0) throw first;
      throw new AggregateError(kept, first instanceof Error ? first.message : String(first));
    },
  };
}
