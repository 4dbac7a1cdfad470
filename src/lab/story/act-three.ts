/** Act 3: the same dig, twice. It enters the cache of the client's own node: a miss, then a hit. */
import { answerFailures, askAndJudge } from './act-one.ts';
import { type Act, heading, indent } from './stage.ts';

export const actThree: Act = async (stage) => {
  stage.say(heading("Act 3  The same dig: it enters the cache of the client's own node"));
  const failures: string[] = [];
  for (const expected of ['miss', 'hit'] as const) {
    const { answer, verdict } = await askAndJudge(stage);
    stage.say(indent(verdict.evidence));
    failures.push(...answerFailures(answer));
    if (verdict.verdict !== 'ENTERED' || verdict.served !== expected) {
      failures.push(`the query should have ENTERED as a ${expected}: ${verdict.evidence}`);
    }
  }
  return failures;
};
