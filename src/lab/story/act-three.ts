/** Act 3: the same dig, twice. It enters the cache of the client's own node: a miss, then a hit. */
import { answerFailures, askAndJudge } from './act-one.ts';
import { showDoctor, startDoctor } from './ask-doctor.ts';
import { wishAnswers } from './kernel-answers.ts';
import { type Act, heading, indent } from './stage.ts';

export const actThree: Act = async (stage) => {
  stage.say(heading("Act 3  The same dig: it enters the cache of the client's own node"));
  await wishAnswers(stage, 'deny');
  const failures: string[] = [];
  let report: Promise<string> | undefined;
  for (const expected of ['miss', 'hit'] as const) {
    const { answer, verdict } = await askAndJudge(stage);
    stage.say(indent(verdict.evidence));
    failures.push(...answerFailures(answer));
    if (verdict.verdict !== 'ENTERED' || verdict.served !== expected) {
      failures.push(`the query should have ENTERED as a ${expected}: ${verdict.evidence}`);
    }
    // The miss is over: what its probes ask changes nothing in the hit.
    report ??= startDoctor();
  }
  failures.push(...(await showDoctor(stage, report ?? startDoctor(), 'ENTERED')));
  return failures;
};
