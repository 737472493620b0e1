/**
 * How tiles are laid out in an area: equal cells in rows. Lengths are in CSS pixels.
 *
 * @typedef {{ columns: number, rows: number, width: number, height: number }} Grid
 */

/**
 * Bounds of a tile's shape, width to height: cameras may be cropped this far. An upright
 * stage is that of a phone, whose own camera is upright, too.
 */
const SHAPE = { upright: 3 / 4, tallest: 4 / 3, widest: 16 / 9 };

/**
 * Finds the grid with the largest tiles.
 *
 * @param {number} count how many tiles, at least 1
 * @param {number} width of the area
 * @param {number} height of the area
 * @param {number} gap between tiles
 * @returns {Grid}
 */
export function fit(count, width, height, gap) {
  const tallest = height > width ? SHAPE.upright : SHAPE.tallest;
  /** @type {Grid} */
  let best = { columns: 1, rows: count, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: Math.max(0, (width - gap * (columns - 1)) / columns),
      height: Math.max(0, (height - gap * (rows - 1)) / rows),
    };
    const size = {
      width: Math.floor(Math.min(cell.width, cell.height * SHAPE.widest)),
      height: Math.floor(Math.min(cell.height, cell.width / tallest)),
    };
    if (size.width * size.height > best.width * best.height) {
      best = { columns, rows, ...size };
    }
  }
  return best;
}

/**
 * How many tiles an area has room for if none may be smaller than a minimum.
 *
 * @param {number} count how many there are
 * @param {number} width of the area
 * @param {number} height of the area
 * @param {number} gap between tiles
 * @param {{ width: number, height: number }} least
 * @returns {number} from 1 to count
 */
export function roomFor(count, width, height, gap, least) {
  for (let n = count; n > 1; n--) {
    const grid = fit(n, width, height, gap);
    if (grid.width >= least.width && grid.height >= least.height) return n;
  }
  return 1;
}

/** @typedef {{ x: number, y: number, width: number, height: number }} Place */
/** @typedef {{ shares: Place[], people: Place[] }} Arrangement */

/** Distance between tiles. */
export const GAP = 8;
/** The smallest tiles, by the width of the stage. */
const LEAST = {
  narrow: { width: 100, height: 90 },
  wide: { width: 176, height: 110 },
};
/** Width of a stage from which it counts as wide. */
const WIDE = 640;

/**
 * Lays out a stage. What is shared takes most of it, with the people in a strip beside it
 * or above it; without a share the people have it all. People for whom there is no room
 * get no place.
 *
 * @param {{ shares: number, people: number }} count
 * @param {{ width: number, height: number }} stage
 * @returns {Arrangement}
 */
export function arrange(count, stage) {
  const whole = { x: 0, y: 0, ...stage };
  const least = stage.width >= WIDE ? LEAST.wide : LEAST.narrow;
  if (count.shares === 0) {
    return { shares: [], people: fill(count.people, whole, least) };
  }
  const beside = stage.width > stage.height;
  const thick = beside
    ? Math.min(260, Math.max(112, Math.round(stage.width * 0.18)))
    : Math.min(
        stage.width >= WIDE ? 160 : 96,
        Math.max(72, Math.round(stage.height * 0.18)),
      );
  const rest = beside ? stage.width - thick - GAP : stage.height - thick - GAP;
  const strip = beside
    ? { x: rest + GAP, y: 0, width: thick, height: stage.height }
    : { x: 0, y: 0, width: stage.width, height: thick };
  const main = beside
    ? { x: 0, y: 0, width: rest, height: stage.height }
    : { x: 0, y: thick + GAP, width: stage.width, height: rest };
  return {
    shares: cells(count.shares, main),
    people: beside ? column(count.people, strip) : row(count.people, strip),
  };
}

/**
 * Equal cells that fill an area, whatever their shape.
 *
 * @param {number} count
 * @param {Place} area
 * @returns {Place[]}
 */
function cells(count, area) {
  const { columns, rows } = fit(count, area.width, area.height, GAP);
  const width = (area.width - GAP * (columns - 1)) / columns;
  const height = (area.height - GAP * (rows - 1)) / rows;
  return Array.from({ length: count }, (_, i) => ({
    x: area.x + (i % columns) * (width + GAP),
    y: area.y + Math.floor(i / columns) * (height + GAP),
    width,
    height,
  }));
}

/**
 * A fitted grid in the middle of an area, the last row in the middle of its row.
 *
 * @param {number} count
 * @param {Place} area
 * @param {{ width: number, height: number }} least
 * @returns {Place[]}
 */
function fill(count, area, least) {
  if (count === 0) return [];
  const shown = roomFor(count, area.width, area.height, GAP, least);
  const { columns, rows, width, height } = fit(shown, area.width, area.height, GAP);
  const y = area.y + (area.height - rows * height - GAP * (rows - 1)) / 2;
  return Array.from({ length: shown }, (_, i) => {
    const line = Math.floor(i / columns);
    const inLine = Math.min(columns, shown - line * columns);
    const x = area.x + (area.width - inLine * width - GAP * (inLine - 1)) / 2;
    return {
      x: x + (i % columns) * (width + GAP),
      y: y + line * (height + GAP),
      width,
      height,
    };
  });
}

/**
 * @param {number} count
 * @param {Place} strip
 * @returns {Place[]}
 */
function column(count, { x, y, width, height }) {
  const tall = Math.round((width * 9) / 16);
  const shown = Math.max(1, Math.min(count, Math.floor((height + GAP) / (tall + GAP))));
  return Array.from({ length: Math.min(shown, count) }, (_, i) => ({
    x,
    y: y + i * (tall + GAP),
    width,
    height: tall,
  }));
}

/**
 * @param {number} count
 * @param {Place} strip
 * @returns {Place[]}
 */
function row(count, { x, y, width, height }) {
  const broad = width >= WIDE ? Math.round((height * 4) / 3) : height;
  const shown = Math.max(1, Math.min(count, Math.floor((width + GAP) / (broad + GAP))));
  const start = x + (width - Math.min(shown, count) * (broad + GAP) + GAP) / 2;
  return Array.from({ length: Math.min(shown, count) }, (_, i) => ({
    x: start + i * (broad + GAP),
    y,
    width: broad,
    height,
  }));
}
