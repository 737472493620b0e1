import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import jsdoc from 'eslint-plugin-jsdoc';
// @ts-expect-error The plugin carries no types.
import noUnsanitized from 'eslint-plugin-no-unsanitized';
import globals from 'globals';

/**
 * The floors of the page: which folders each may import from, besides itself. `main-*.js`
 * stand above them all and may import from any.
 *
 * @type {Record<string, string[]>}
 */
const floors = {
  ui: ['state', 'media', 'protocol', 'i18n'],
  state: ['media', 'protocol'],
  media: [],
  protocol: [],
  i18n: [],
};

const mains = ['landing', 'group', 'missing'].map(name => `static/js/main-${name}.js`);

const zones = Object.entries(floors).map(([floor, below]) => ({
  target: `static/js/${floor}`,
  from: Object.keys(floors)
    .filter(other => other !== floor && !below.includes(other))
    .map(other => `static/js/${other}`)
    .concat(mains),
  message: 'Imports run downwards: main, ui, state, then media and protocol.',
}));

/** What every module keeps to. */
const rules = {
  eqeqeq: 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-shadow': 'error',
  'no-unused-vars': 'error',
  'no-undef': 'error',
  'no-console': 'error',
  'no-restricted-properties': [
    'error',
    { property: 'innerHTML', message: 'All text goes in as text.' },
    { property: 'outerHTML', message: 'All text goes in as text.' },
    { property: 'insertAdjacentHTML', message: 'All text goes in as text.' },
  ],
  complexity: ['error', 15],
  'max-depth': ['error', 3],
  'max-lines': ['error', { max: 350, skipBlankLines: false, skipComments: false }],
  'import-x/no-cycle': 'error',
  'import-x/no-unresolved': 'error',
  'import-x/no-self-import': 'error',
  'import-x/no-duplicates': 'error',
  'import-x/export': 'error',
};

export default [
  { ignores: ['node_modules/', 'e2e/output/'] },
  jsdoc.configs['flat/recommended-typescript-flavor-error'],
  noUnsanitized.configs.recommended,
  {
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver()] },
    languageOptions: { ecmaVersion: 2024, sourceType: 'module' },
    rules: {
      ...rules,
      'jsdoc/require-jsdoc': ['error', { publicOnly: true }],
      'jsdoc/require-param-description': 'off',
      'jsdoc/require-returns-description': 'off',
      'jsdoc/require-property-description': 'off',
      'jsdoc/require-returns': 'off',
      'jsdoc/tag-lines': 'off',
      'jsdoc/reject-any-type': 'error',
    },
  },
  {
    files: ['static/js/**/*.js'],
    languageOptions: { globals: globals.browser },
    rules: { 'import-x/no-restricted-paths': ['error', { zones }] },
  },
  {
    files: ['static/js/protocol/**/*.js'],
    rules: {
      'no-restricted-globals': ['error', 'document', 'window', 'location', 'navigator'],
    },
  },
  {
    files: ['test/**/*.js', 'e2e/**/*.js', 'eslint.config.js'],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { 'no-console': 'off', 'max-depth': ['error', 4] },
  },
];
