/** Where a thread begins that requests.ts starts. */
import { answerOffMainThread } from '../../../runner/job/off-main-thread.js';
import { answerInThread } from './requests.js';

answerOffMainThread(answerInThread);
