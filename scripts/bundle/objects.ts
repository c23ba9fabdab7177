/** What ELF files ask of the machine that loads them. */
import { execFileSync } from 'node:child_process';

function readelf(option: string, path: string): string {
  return execFileSync('readelf', [option, '-W', path], { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

/** Names of the libraries that the loader brings in with it. */
export function neededLibraries(path: string): string[] {
  return [...readelf('-d', path).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1] ?? '');
}

/** Libraries that every Linux with glibc has. */
export function isEverywhere(library: string): boolean {
  return /^(libc|libm|libgcc_s|libstdc\+\+|ld-linux[\w-]*|libdl|libpthread|librt)\.so/.test(library);
}

export function searchesFolders(path: string): boolean {
  return /\((RPATH|RUNPATH)\)/.test(readelf('-d', path));
}

/** Newest version of a symbol family (GLIBC, GLIBCXX) that any of the files asks for, such as "2.34". */
export function newestNeeded(family: 'GLIBC' | 'GLIBCXX', paths: readonly string[]): string {
  const pattern = new RegExp(`Name: ${family}_(\\d+(?:\\.\\d+)*)`, 'g');
  const versions = paths.flatMap((path) => [...readelf('-V', path).matchAll(pattern)].map((match) => match[1] ?? ''));
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1) ?? 'none';
}
