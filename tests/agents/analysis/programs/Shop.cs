using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Encodings.Web;
using System.Threading;
using System.Threading.Tasks;
using Dapper;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace Example.Shop;

[ApiController]
[Authorize]
[Route("api/orders")]
public sealed class OrdersController : ControllerBase
{
    private static readonly HashSet<string> Columns = new() { "Date", "Total" };

    private readonly ShopContext _context;
    private readonly ILogger<OrdersController> _logger;

    public OrdersController(ShopContext context, ILogger<OrdersController> logger)
    {
        _context = context;
        _logger = logger;
    }

    [HttpGet]
    public async Task<IActionResult> List(string sort, int page, CancellationToken cancel)
    {
        string column = Columns.Contains(sort) ? sort : "Date";
        var orders = await _context.Orders
            .FromSqlInterpolated($"SELECT * FROM Orders WHERE Page = {page}")
            .OrderBy(order => EF.Property<object>(order, column))
            .ToListAsync(cancel);
        return Ok(orders);
    }

    [HttpGet("{id:guid}")]
    public async Task<IActionResult> One(Guid id, CancellationToken cancel)
    {
        var order = await _context.Orders.FirstOrDefaultAsync(each => each.Id == id, cancel);
        return order is null ? NotFound() : Ok(order);
    }

    [HttpPost]
    public async Task<IActionResult> Add(NewOrder order, CancellationToken cancel)
    {
        var added = new Order { Id = Guid.NewGuid(), Total = order.Total };
        _context.Orders.Add(added);
        await _context.SaveChangesAsync(cancel);
        _logger.LogInformation("order {Id} was added", added.Id);
        return CreatedAtAction(nameof(One), new { id = added.Id }, added);
    }
}

public sealed class PagesController : Controller
{
    private static readonly string[] Kinds = { ".png", ".jpg" };

    private readonly IPictures _pictures;
    private readonly ILogger<PagesController> _logger;

    public PagesController(IPictures pictures, ILogger<PagesController> logger)
    {
        _pictures = pictures;
        _logger = logger;
    }

    [HttpGet]
    public IActionResult Hello(string name)
    {
        return Content("<p>Hello " + HtmlEncoder.Default.Encode(name) + "</p>", "text/html");
    }

    [HttpGet]
    public IActionResult Done(string returnUrl)
    {
        return Url.IsLocalUrl(returnUrl) ? Redirect(returnUrl) : RedirectToAction(nameof(Hello));
    }

    [HttpPost]
    [ValidateAntiForgeryToken]
    [RequestSizeLimit(5_000_000)]
    public async Task<IActionResult> Upload(IFormFile file, CancellationToken cancel)
    {
        string extension = System.IO.Path.GetExtension(file.FileName).ToLowerInvariant();
        if (!Kinds.Contains(extension))
        {
            return BadRequest();
        }
        try
        {
            await using var stream = file.OpenReadStream();
            await _pictures.KeepAsync(Guid.NewGuid(), stream, cancel);
        }
        catch (System.IO.IOException error)
        {
            _logger.LogError(error, "a picture could not be kept");
            return StatusCode(500, "the picture could not be kept");
        }
        return Ok();
    }

    [HttpPost]
    [ValidateAntiForgeryToken]
    public IActionResult Prefer(string theme)
    {
        string value = theme switch { "dark" => "dark", _ => "light" };
        var options = new CookieOptions { HttpOnly = true, Secure = true, SameSite = SameSiteMode.Lax };
        Response.Cookies.Append("theme", value, options);
        return NoContent();
    }
}

public sealed class Reports
{
    private readonly System.Data.IDbConnection _connection;

    public Reports(System.Data.IDbConnection connection) => _connection = connection;

    public Task<IEnumerable<Order>> OfAsync(string customer) =>
        _connection.QueryAsync<Order>("SELECT * FROM Orders WHERE Customer = @customer", new { customer });
}

public static class Program
{
    public static void Main(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddControllersWithViews();
        builder.Services.AddCors(options =>
            options.AddDefaultPolicy(policy => policy.WithOrigins("https://shop.example.com").AllowAnyMethod()));
        builder.Services.AddAuthentication().AddJwtBearer(options =>
        {
            options.TokenValidationParameters = new TokenValidationParameters
            {
                ValidateIssuer = true,
                ValidateAudience = true,
                ValidateLifetime = true,
                ValidateIssuerSigningKey = true,
            };
        });
        var app = builder.Build();
        if (app.Environment.IsDevelopment())
        {
            app.UseDeveloperExceptionPage();
        }
        app.UseHttpsRedirection();
        app.UseHsts();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapControllers();
        app.MapGet("/items/{id:int}", async (int id, ShopContext context) =>
            await context.Items.FindAsync(id) is { } item ? Results.Ok(item) : Results.NotFound());
        app.MapGet("/search", async (string text, ShopContext context) =>
            Results.Ok(await context.Items.Where(item => item.Name.Contains(text)).Take(50).ToListAsync()));
        app.Run();
    }
}
