/** Where a thread begins that requests.ts starts. */
/* v8 ignore start -- killed */
import { answerOffMainThread } from '../../../runner/job/off-main-thread.js';
import { answerInThread } from './requests.js';

answerOffMainThread(answerInThread);
/* v8 ignore stop */
