using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Data;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using System.Xml;
using Microsoft.Data.SqlClient;
using Microsoft.Extensions.Logging;

namespace Example.Store;

/// <summary>Keeps documents: on disk, with their owners in a database.</summary>
public sealed class DocumentStore : IAsyncDisposable
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(10);
    private const int Rounds = 600_000;

    private readonly string _connection;
    private readonly string _root;
    private readonly HttpClient _client;
    private readonly ILogger<DocumentStore> _logger;
    private readonly ConcurrentDictionary<long, Document> _known = new();
    private readonly SemaphoreSlim _gate = new(1, 1);

    public DocumentStore(string connection, string root, HttpClient client, ILogger<DocumentStore> logger)
    {
        _connection = connection ?? throw new ArgumentNullException(nameof(connection));
        _root = Path.GetFullPath(root + Path.DirectorySeparatorChar);
        _client = client;
        _logger = logger;
    }

    public async Task<IReadOnlyList<Document>> OfOwnerAsync(string owner, int limit, CancellationToken cancel)
    {
        const string sql = "SELECT TOP (@limit) Id, Name FROM Documents WHERE Owner = @owner ORDER BY Name";
        await using var connection = new SqlConnection(_connection);
        await connection.OpenAsync(cancel);
        await using var command = new SqlCommand(sql, connection);
        command.Parameters.Add("@limit", SqlDbType.Int).Value = limit;
        command.Parameters.Add("@owner", SqlDbType.NVarChar, 200).Value = owner;
        var found = new List<Document>();
        await using var rows = await command.ExecuteReaderAsync(cancel);
        while (await rows.ReadAsync(cancel))
        {
            found.Add(new Document(rows.GetInt64(0), rows.GetString(1)));
        }
        return found;
    }

    public string Read(string name)
    {
        string path = Path.GetFullPath(Path.Combine(_root, name));
        if (!path.StartsWith(_root, StringComparison.Ordinal))
        {
            throw new ArgumentException("outside of the folder", nameof(name));
        }
        return File.ReadAllText(path, Encoding.UTF8);
    }

    public void Unpack(Stream stream, string folder)
    {
        string root = Path.GetFullPath(folder + Path.DirectorySeparatorChar);
        using var archive = new ZipArchive(stream, ZipArchiveMode.Read);
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            string target = Path.GetFullPath(Path.Combine(root, entry.FullName));
            if (!target.StartsWith(root, StringComparison.Ordinal))
            {
                throw new InvalidDataException("outside of the folder");
            }
            entry.ExtractToFile(target, overwrite: false);
        }
    }

    public static byte[] Seal(byte[] key, byte[] text)
    {
        byte[] nonce = RandomNumberGenerator.GetBytes(AesGcm.NonceByteSizes.MaxSize);
        byte[] tag = new byte[AesGcm.TagByteSizes.MaxSize];
        byte[] hidden = new byte[text.Length];
        using var aes = new AesGcm(key, tag.Length);
        aes.Encrypt(nonce, text, hidden, tag);
        return nonce.Concat(tag).Concat(hidden).ToArray();
    }

    public static string Hash(string password)
    {
        byte[] salt = RandomNumberGenerator.GetBytes(16);
        byte[] hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, Rounds, HashAlgorithmName.SHA256, 32);
        return Convert.ToBase64String(salt) + ":" + Convert.ToBase64String(hash);
    }

    public static bool Signed(byte[] key, byte[] message, byte[] signature)
    {
        byte[] expected = HMACSHA256.HashData(key, message);
        return CryptographicOperations.FixedTimeEquals(expected, signature);
    }

    public async Task<string> StatusAsync(string service, CancellationToken cancel)
    {
        string name = Uri.EscapeDataString(service);
        using HttpResponseMessage answer = await _client.GetAsync($"https://status.example.com/services/{name}", cancel);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsStringAsync(cancel);
    }

    public async Task AddAsync(Document document, CancellationToken cancel)
    {
        await _gate.WaitAsync(cancel);
        try
        {
            _known[document.Id] = document;
            await File.WriteAllTextAsync(Path.Combine(_root, "index.json"), JsonSerializer.Serialize(_known.Values), cancel);
        }
        finally
        {
            _gate.Release();
        }
        _logger.LogInformation("document {Id} was added", document.Id);
    }

    public XmlDocument Parse(Stream stream)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };
        using XmlReader reader = XmlReader.Create(stream, settings);
        var document = new XmlDocument { XmlResolver = null };
        document.Load(reader);
        return document;
    }

    public string Summary()
    {
        var text = new StringBuilder();
        foreach (KeyValuePair<long, Document> entry in _known)
        {
            text.Append(entry.Key).Append(": ").AppendLine(entry.Value.Name);
        }
        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        _gate.Dispose();
        await Task.CompletedTask;
    }
}

public sealed record Document(long Id, string Name);
