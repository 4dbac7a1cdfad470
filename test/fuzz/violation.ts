/** The first thing that went wrong, with all that is needed to see it again. */
export interface Finding {
  readonly stage: string;
  readonly seed: number;
  readonly index: number;
  readonly packet: Uint8Array;
  readonly what: string;
}
export class Violation extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    const { stage, seed, index, packet, what } = finding;
    const hex = Buffer.from(packet).toString('hex');
    super(`${stage}: ${what}\n  --seed ${seed}, packet ${index}: ${hex}`);
    this.finding = finding;
  }
}
