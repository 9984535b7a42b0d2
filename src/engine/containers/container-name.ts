import { randomInt } from "node:crypto";

const qualities = `able amber azure bold brave bright brisk calm candid clear clever coral cosy crisp dapper deft eager
early fair fine fleet fond frank free fresh gentle glad golden good grand green happy hardy honest jolly keen kind lively
loyal lucid lucky mellow merry mild neat nimble noble patient placid plain polite proud quick quiet rapid ready rosy
sharp silent silver simple sincere sleek smart snug sober solid steady still stout sunny sure swift tender tidy tranquil
true trusty upbeat vivid warm wary wise witty young zesty`.split(/\s+/);
const things = `acorn alder anchor apple arrow aspen badger barley basin beacon beaver birch bison brook candle canyon
cedar cherry cliff clover cobalt comet compass copper crane creek daisy dolphin dune eagle ember falcon fern finch fjord
flint forest fox garnet geyser glacier grove harbor hawk hazel heron hill island ivy jasper juniper kettle lagoon lake
lantern lark laurel lemon linden lynx magpie maple marble meadow mesa mill moss oak ocean olive opal orchard otter owl
pebble pine plum pond poplar quarry quartz raven reed ridge river robin rowan sail saddle salmon shell sparrow spruce
star stone swan thistle tiger trout tulip valley violet walnut willow wren yarrow`.split(/\s+/);

const oneOf = (words: readonly string[]): string => words[randomInt(words.length)] ?? "";

/** A name for a container that none of `taken` has. */
export function randomContainerName(taken: ReadonlySet<string>): string {
  for (let tries = 0; ; tries += 1) {
    const name = `${oneOf(qualities)}_${oneOf(things)}${tries < 10 ? "" : randomInt(10 ** 6)}`;
    if (!taken.has(name)) return name;
  }
}
