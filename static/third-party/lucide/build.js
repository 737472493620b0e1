/**
 * @file Builds icons.svg from the package lucide-static: one symbol for each icon that the
 * page uses. Run it with node after adding a name.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const names = [
  'arrow-down',
  'audio-lines',
  'bell',
  'check',
  'chevron-up',
  'circle-alert',
  'circle-dot',
  'door-open',
  'ellipsis',
  'ellipsis-vertical',
  'eraser',
  'external-link',
  'eye',
  'hand',
  'hourglass',
  'id-card',
  'info',
  'keyboard',
  'link',
  'lock',
  'lock-open',
  'maximize',
  'message-square',
  'message-square-off',
  'mic',
  'mic-off',
  'phone-off',
  'reply',
  'screen-share',
  'screen-share-off',
  'send-horizontal',
  'settings',
  'shield',
  'shield-off',
  'triangle-alert',
  'user-x',
  'users',
  'video',
  'video-off',
  'volume-x',
  'wifi-off',
  'x',
];

const source = dirname(
  createRequire(import.meta.url).resolve('lucide-static/package.json'),
);
const { version } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8'));

/** @param {string} name */
async function symbol(name) {
  const svg = await readFile(join(source, 'icons', `${name}.svg`), 'utf8');
  const shapes = svg.slice(
    svg.indexOf('>', svg.indexOf('<svg')) + 1,
    svg.indexOf('</svg>'),
  );
  const lines = shapes.trim().replaceAll(/\s*\n\s*/gu, '');
  const pen = 'fill="none" stroke="currentColor" stroke-width="2"';
  const ends = 'stroke-linecap="round" stroke-linejoin="round"';
  return `<symbol id="${name}" viewBox="0 0 24 24" ${pen} ${ends}>${lines}</symbol>`;
}

const symbols = await Promise.all(names.map(symbol));
const sprite = [
  `<!-- Lucide ${version}, https://lucide.dev, ISC licence: see LICENSE beside this file. -->`,
  '<svg xmlns="http://www.w3.org/2000/svg">',
  ...symbols,
  '</svg>',
  '',
].join('\n');
const here = dirname(fileURLToPath(import.meta.url));
await writeFile(join(here, 'icons.svg'), sprite);
await writeFile(join(here, 'LICENSE'), await readFile(join(source, 'LICENSE')));
