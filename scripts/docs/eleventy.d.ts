/** The parts of Eleventy that are used; it comes without types. */
declare module '@11ty/eleventy' {
  export interface EleventyConfig {
    addTemplate(file: string, content: string, data: Readonly<Record<string, unknown>>): void
    amendLibrary(engine: 'md', change: (library: import('./markdown.ts').MarkdownIt) => void): void
    setIncludesDirectory(folder: string): void
    setTemplateFormats(formats: string): void
  }

  // biome-ignore lint/style/noDefaultExport: so it is exported there.
  export default class Eleventy {
    constructor(
      input: string,
      output: string,
      options: { readonly quietMode: boolean; readonly configPath: false; config(config: EleventyConfig): void },
    )
    write(): Promise<unknown>
  }
}
