/** @import { Place } from '../../static/js/ui/layout.js' */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GAP, arrange, fit, roomFor } from '../../static/js/ui/layout.js';

describe('fit', () => {
  const rows = /** @type {[string, number, number, number, number][]} */ ([
    ['one on a laptop', 1, 1264, 692, 1],
    ['two on a laptop', 2, 1264, 692, 2],
    ['two on a phone', 2, 374, 700, 1],
    ['four on a laptop', 4, 1264, 692, 2],
    ['nine on a laptop', 9, 1264, 692, 3],
    ['six on a phone', 6, 374, 700, 2],
  ]);
  for (const [name, count, width, height, columns] of rows) {
    it(`puts ${name} into ${columns} columns`, () => {
      assert.equal(fit(count, width, height, GAP).columns, columns);
    });
  }

  it('never leaves the area, nor the shapes of cameras', () => {
    for (let count = 1; count <= 60; count++) {
      for (const [width, height] of [
        [1264, 692],
        [374, 700],
        [3824, 2000],
        [300, 440],
      ]) {
        const grid = fit(count, width ?? 0, height ?? 0, GAP);
        const across = grid.columns * grid.width + GAP * (grid.columns - 1);
        const down = grid.rows * grid.height + GAP * (grid.rows - 1);
        assert.ok(across <= (width ?? 0) && down <= (height ?? 0), `${count}`);
        assert.ok(grid.columns * grid.rows >= count, `${count}`);
        const shape = grid.width / grid.height;
        assert.ok(shape > 0.7 && shape < 1.85, `${count} tiles of shape ${shape}`);
      }
    }
  });
});

describe('roomFor', () => {
  it('is all of them on a wall and some of them on a phone', () => {
    const least = { width: 100, height: 90 };
    assert.equal(roomFor(49, 3824, 2000, GAP, least), 49);
    const some = roomFor(49, 304, 420, GAP, least);
    assert.ok(some > 1 && some < 49, String(some));
    assert.equal(roomFor(5, 10, 10, GAP, least), 1);
  });
});

/** Rounding may take half a pixel. */
const SLACK = 0.5;

/**
 * @param {Place} place
 * @param {{ width: number, height: number }} stage
 */
function inside({ x, y, width, height }, stage) {
  const across = x >= -SLACK && x + width <= stage.width + SLACK;
  return across && y >= -SLACK && y + height <= stage.height + SLACK;
}

/**
 * @param {Place} a
 * @param {Place} b
 */
function meet(a, b) {
  const across = a.x + a.width > b.x + SLACK && b.x + b.width > a.x + SLACK;
  return across && a.y + a.height > b.y + SLACK && b.y + b.height > a.y + SLACK;
}

describe('arrange', () => {
  const stages = [
    { width: 1264, height: 692 },
    { width: 374, height: 700 },
    { width: 304, height: 440 },
    { width: 3824, height: 2000 },
  ];

  for (const stage of stages) {
    for (const shares of [0, 1, 2]) {
      const { width, height } = stage;
      it(`keeps all tiles on ${width}x${height}, apart, beside ${shares} shares`, () => {
        for (let people = 1; people <= 30; people++) {
          const places = arrange({ shares, people }, stage);
          const all = [...places.shares, ...places.people];
          assert.equal(places.shares.length, shares);
          assert.ok(places.people.length >= 1);
          assert.deepEqual(
            all.filter(p => !inside(p, stage)),
            [],
            `${people}`,
          );
          const meetings = all.flatMap((a, i) =>
            all.slice(i + 1).filter(b => meet(a, b)),
          );
          assert.deepEqual(meetings, [], `${people}`);
        }
      });
    }
  }

  it('gives a share most of the stage', () => {
    for (const stage of stages) {
      const { shares } = arrange({ shares: 1, people: 8 }, stage);
      const [share] = shares;
      const part =
        ((share?.width ?? 0) * (share?.height ?? 0)) / stage.width / stage.height;
      assert.ok(part > 0.55, String(part));
    }
  });

  it('bears a stage without room', () => {
    const places = arrange({ shares: 1, people: 3 }, { width: 0, height: 0 });
    assert.equal(places.shares.length, 1);
  });
});
