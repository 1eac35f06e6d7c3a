import { describe, expect, it } from 'vitest';

import { colourOf, contrast, eventColours, readableOn } from './colour.js';

/** Google's calendar colours, from its API. */
const CALENDAR_COLOURS = [
  '#ac725e', '#d06b64', '#f83a22', '#fa573c', '#ff7537', '#ffad46', '#42d692', '#16a765',
  '#7bd148', '#b3dc6c', '#fbe983', '#fad165', '#92e1c0', '#9fe1e7', '#9fc6e7', '#4986e7',
  '#9a9cff', '#b99aff', '#c2c2c2', '#cabdbf', '#cca6ac', '#f691b2', '#cd74e6', '#a47ae2',
]; // prettier-ignore

describe('contrast', () => {
  it('is the ratio of WCAG', () => {
    expect(contrast('#ffffff', '#000000')).toBeCloseTo(21, 5);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
    expect(contrast('#abc', '#aabbcc')).toBe(1);
  });
});

describe('text on a colour', () => {
  it.each(CALENDAR_COLOURS)('is readable on %s, in light and dark', (colour) => {
    const { solid, onSolid, light, dark } = eventColours(colour);
    expect(contrast(solid, onSolid)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(light.tint, light.text)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(dark.tint, dark.text)).toBeGreaterThanOrEqual(4.5);
  });

  it('is readable on any colour', () => {
    for (let step = 0; step < 4_096; step++) {
      const colour = `#${step.toString(16).padStart(3, '0')}`;
      const { solid, onSolid, light, dark } = eventColours(colour);
      expect(contrast(solid, onSolid)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(light.tint, light.text)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(dark.tint, dark.text)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('is white if the contrast suffices', () => {
    expect(readableOn('#3f51b5')).toBe('#ffffff');
    expect(readableOn('#fbe983')).toBe('#000000');
  });
});

describe('the colour of an event', () => {
  it('is its own, else its calendar’s, else Google’s blue', () => {
    expect(colourOf({ colorId: '11' }, { backgroundColor: '#9fe1e7' })).toBe('#dc2127');
    expect(colourOf({ colorId: null }, { backgroundColor: '#9fe1e7' })).toBe('#9fe1e7');
    expect(colourOf({ colorId: '99' }, { backgroundColor: null })).toBe('#4285f4');
  });

  it.each(['constructor', 'toString', '__proto__', ''])('is its calendar’s for the id %j', (colorId) => {
    expect(colourOf({ colorId }, { backgroundColor: '#9fe1e7' })).toBe('#9fe1e7');
  });

  it('falls back to the default for an invalid value', () => {
    expect(eventColours('url(x)').solid).toBe('#4285f4');
  });
});
