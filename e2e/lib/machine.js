// Whether the machine had time for what a test measures.

import { monitorEventLoopDelay } from 'node:perf_hooks';

/** @import { TestContext } from 'node:test' */

/** How often it looks, in milliseconds. */
const RESOLUTION = 10;
/** How late one look in ten may be on a machine that has time, in milliseconds. */
const LATE = 15;

/**
 * Runs a check of what was measured since this was made. If it fails while the machine had too
 * little time for anything measured to mean something, the test is skipped instead.
 */
export class Machine {
  #delay = monitorEventLoopDelay({ resolution: RESOLUTION });

  constructor() {
    this.#delay.enable();
  }

  /** How late one look in ten was at least, in milliseconds. */
  get late() {
    return Math.max(0, this.#delay.percentile(90) / 1e6 - RESOLUTION);
  }

  /**
   * @param {TestContext} t
   * @param {() => void} check
   */
  excuse(t, check) {
    this.#delay.disable();
    t.diagnostic(
      `the machine was late by ${Math.round(this.late)} ms at one of ten looks`,
    );
    try {
      check();
    } catch (error) {
      if (this.late <= LATE || !(error instanceof Error)) throw error;
      t.skip(`the machine was too busy: ${error.message}`);
    }
  }
}
