/** Free ports of 127.0.0.1, on a machine where others look for some at the same time. */
import { freePorts } from '../../bench/free-ports.ts';

const ATTEMPTS = 8;

export async function somePorts(count: number): Promise<readonly number[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await freePorts(count);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
