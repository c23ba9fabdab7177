/** A shell that outlives `launch`: where that is killed, SIGKILL included, no rank stays behind. */
import { spawn, type ChildProcess } from 'node:child_process';

/**
 * $1: mpirun; $2: the ranks' program. Reads until `launch` is gone; a word on stdin says that there is nothing left to do.
 * Then the ranks get SIGTERM themselves, so that Open MPI, which kills a second after its own, does not hear of it before
 * their rows are written; mpirun follows after three seconds, and after ten its group is killed. Where there are no ranks
 * yet, mpirun is the one. Three passes over /proc find children of children of a launcher's daemon.
 */
const WATCHDOG = `read -r word && exit 0
kill -0 "$1" 2>/dev/null || exit 0
family=" $1 "
ranks=
for pass in 1 2 3; do
  for stat in /proc/[0-9]*/stat; do
    read -r pid name state parent rest <"$stat" || continue
    case "$family" in *" $pid "*) continue ;; esac
    case "$family" in *" $parent "*) ;; *) continue ;; esac
    family="$family$pid "
    [ "/proc/$pid/exe" -ef "$2" ] && ranks="$ranks $pid"
  done
done 2>/dev/null
if [ -n "$ranks" ]; then kill -TERM $ranks; else kill -TERM "$1"; fi 2>/dev/null
for second in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  kill -0 "$1" 2>/dev/null || exit 0
  [ "$second" = 3 ] && kill -TERM "$1"
done
kill -KILL "-$1"`;

export function watch(mpirun: number | undefined, program: string): ChildProcess | undefined {
  if (mpirun === undefined) return undefined;
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', String(mpirun), program], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without a shell the run goes on; only a SIGKILL of `launch` then leaves ranks behind.
  /* v8 ignore next 2 -- another machine */
  watchdog.on('error', () => undefined);
  watchdog.stdin?.on('error', () => undefined);
  watchdog.unref();
  return watchdog;
}
