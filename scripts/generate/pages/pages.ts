/** The generated pages: path below the project's root -> text, formatted as the rest of the project. */
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { projectRoot } from '../../../runner/project.js';
import { coveragePage } from './coverage-page.js';
import { doctorPage } from './doctor-page.js';
import { environmentPage } from './environment-page.js';
import { errorsPage } from './errors-page.js';
import { gpuTestsPage } from './gpu-tests-page.js';
import { modelsPage } from './models-page.js';
import { replicatedFigure } from './replicated-figure.js';
import { resultsPage } from './results-page.js';
import { scaleFigure, scalePage } from './scale-page.js';

export const GENERATED_PAGES: Readonly<Record<string, () => string>> = {
  'docs/coverage.md': coveragePage,
  'docs/doctor.md': doctorPage,
  'docs/environment.md': environmentPage,
  'docs/errors.md': errorsPage,
  'docs/gpu-tests.md': gpuTestsPage,
  'docs/models.md': modelsPage,
  'docs/replicated.svg': replicatedFigure,
  'docs/scale.md': scalePage,
  'docs/scale.svg': scaleFigure,
  'results/README.md': resultsPage,
};

export async function renderPage(path: string): Promise<string> {
  const render = GENERATED_PAGES[path];
  if (render === undefined) throw new Error(`${path} is not a generated page`);
  return path.endsWith('.md') ? await formatPage(path, render()) : render();
}

/** Markdown as the rest of the project has it. */
export async function formatPage(path: string, text: string): Promise<string> {
  const file = join(projectRoot, path);
  return format(text, { ...(await resolveConfig(file)), filepath: file });
}
