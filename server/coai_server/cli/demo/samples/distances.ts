/** A place on a map, in kilometres from its corner. */
interface Place {
  name: string;
  x: number;
  y: number;
}

/** How far two places are apart. */
function distance(from: Place, to: Place): number {
  return Math.hypot(to.x - from.x, to.y - from.y);
}

/** How long the way through all places is, in their order. */
function routeLength(places: Place[]): number {
  let length = 0;
  for (let i = 1; i < places.length; i++) {
    length += distance(places[i - 1], places[i]);
  }
  return length;
}

/** The name of the place that is closest to the given one. */
function closest(places: Place[], to: Place): string {
  const sorted = [...places].sort((a, b) => distance(a, to) - distance(b, to));
  return sorted[0].name;
}
