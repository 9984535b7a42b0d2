import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { extract, type Header } from "tar-stream";

/** An image as another tool reads it from an OCI archive: every digest and size checked, layers uncompressed. */
export interface ArchivedImage {
  readonly manifest: Record<string, unknown>;
  readonly config: ArchivedConfig;
  readonly layers: readonly Buffer[];
}

export interface ArchivedConfig {
  readonly architecture: string;
  readonly author?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly history?: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** A member of a tar as tar-stream reads it. */
export interface ArchiveMember {
  readonly header: Header;
  /** Records of an extended header. */
  readonly pax: Readonly<Record<string, string>>;
  readonly content: Buffer;
}

interface BlobDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

/** Every member of a tar, in order. */
export async function readTarMembers(tar: Readable | Buffer): Promise<readonly ArchiveMember[]> {
  const members: ArchiveMember[] = [];
  const stream = (Buffer.isBuffer(tar) ? Readable.from([tar]) : tar).pipe(extract());
  for await (const entry of stream) {
    // The types of tar-stream leave this member out.
    const { pax } = entry.header as { readonly pax?: ArchiveMember["pax"] | null };
    members.push({ header: entry.header, pax: pax ?? {}, content: await buffer(entry) });
  }
  return members;
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** The images of an OCI archive; one for each platform. */
export async function readOciArchive(file: string): Promise<readonly ArchivedImage[]> {
  const members = await readTarMembers(createReadStream(file));
  const files = new Map(members.map(({ header, content }) => [header.name, content]));
  const fileOf = (name: string): Buffer => {
    const content = files.get(name);
    if (content === undefined) throw new Error(`${file} has no ${name}, only ${[...files.keys()].join(" ")}`);
    return content;
  };
  const blobOf = ({ digest, size }: BlobDescriptor): Buffer => {
    const bytes = fileOf(`blobs/${digest.replace(":", "/")}`);
    if (sha256(bytes) !== digest || bytes.length !== size) throw new Error(`the blob ${digest} is not what it says`);
    return bytes;
  };
  const json = <T>(bytes: Buffer): T => JSON.parse(bytes.toString("utf8")) as T;
  const manifestsBelow = (descriptor: BlobDescriptor): readonly Record<string, unknown>[] => {
    const document = json<Record<string, unknown>>(blobOf(descriptor));
    if (!("manifests" in document)) return [document];
    return (document.manifests as readonly BlobDescriptor[])
      .filter(({ platform }) => platform?.os !== "unknown")
      .flatMap(manifestsBelow);
  };
  const index = json<{ manifests: readonly BlobDescriptor[] }>(fileOf("index.json"));
  return index.manifests.flatMap(manifestsBelow).map((manifest) => {
    const config = json<ArchivedConfig>(blobOf(manifest.config as BlobDescriptor));
    const descriptors = (manifest.layers ?? []) as readonly BlobDescriptor[];
    const diffIds = config.rootfs.diff_ids ?? [];
    if (descriptors.length !== diffIds.length)
      throw new Error(`${descriptors.length} layers, but ${diffIds.length} diffIDs`);
    const layers = descriptors.map((descriptor, at) => {
      const blob = blobOf(descriptor);
      const tar = descriptor.mediaType.endsWith("gzip") ? gunzipSync(blob) : blob;
      if (sha256(tar) !== diffIds[at]) throw new Error(`layer ${at} is not the one its diffID names`);
      return tar;
    });
    return { manifest, config, layers };
  });
}
